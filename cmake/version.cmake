# SPDX-License-Identifier: Apache-2.0
# Run at every build: writes the version source, and touches it only if it changed.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(REVISION "no revision")
else()
  execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    string(APPEND REVISION "+changes")
  endif()
endif()
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
