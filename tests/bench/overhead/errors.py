# SPDX-License-Identifier: Apache-2.0
"""One line: what, why, what to do."""


class BenchError(Exception):
    pass
