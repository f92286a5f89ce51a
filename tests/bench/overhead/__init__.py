# SPDX-License-Identifier: Apache-2.0
"""What tracing costs the traced program: madvtrace against what else there is."""
