# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share. Source it first:
#   . "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# Sets strict mode and $repo, and leaves the working directory alone, so that a path
# on a script's command line means what its user meant. Everything a script says
# goes to stderr: stdout belongs to the program that it runs.

set -euo pipefail

repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
. "$repo/scripts/packages.sh"

# Exit codes, the same as the tool's own.
# shellcheck disable=SC2034  # used by the scripts that source this
readonly exit_failed=1 exit_usage=2 exit_unsupported=5

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die CODE TEXT…: TEXT is one line: what, why, what to do.
die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# quietly LOG CMD…: the output of CMD goes to LOG; if it fails, so does this, after
# showing the end of LOG and naming it.
quietly() {
  local log=$1 code=0
  shift
  "$@" >"$log" 2>&1 </dev/null || code=$?
  if ((code != 0)); then
    tail -n 60 -- "$log" >&2
    say "failed with exit code $code: $* (all of its output: $log)"
  fi
  return "$code"
}

is_root() { [[ $EUID -eq 0 ]]; }

# Dies, naming what to do, unless the machine lets us become root.
need_root_possible() {
  is_root || command -v sudo >/dev/null ||
    die "$exit_unsupported" "needs root, but this is user $(id -un) and there is no sudo: run it again as root"
}

# The rest of the script runs as root: need_root "$@" starts it again with sudo if
# it does not yet.
need_root() {
  is_root && return
  need_root_possible
  say "needs root: starting again with sudo"
  exec sudo -- env ${CI:+CI="$CI"} "$BASH" "$0" "$@"
}

as_root() {
  if is_root; then "$@"; else sudo -- "$@"; fi
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

apt_lists_are_fresh=
# Fetches the lists of packages, once in a run.
apt_lists() {
  local log
  [[ -z $apt_lists_are_fresh ]] || return 0
  log=$(mktemp -t madvtrace-apt.XXXXXX)
  quietly "$log" apt_get update ||
    die "$exit_failed" "apt-get update failed: see $log; check the network and /etc/apt, then run this again"
  apt_lists_are_fresh=1
  rm -f -- "$log"
}

# apt_quietly ARGS…: apt-get with ARGS, after fetching the lists.
apt_quietly() {
  local log
  apt_lists
  log=$(mktemp -t madvtrace-apt.XXXXXX)
  quietly "$log" apt_get "$@" || die "$exit_failed" "apt-get $1 failed: see $log, then run this again"
  rm -f -- "$log"
}

# install_missing PACKAGE…: does nothing, without network, if all are installed.
install_missing() {
  local -a missing=()
  local package
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is not a Debian system, so nothing is installed: it needs what stands for $*"
    return
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  need_root_possible
  say "installing ${missing[*]}"
  apt_quietly install -y --no-install-recommends "${missing[@]}"
}

# unpack_missing COMMAND=PACKAGE…: where COMMAND is not on the PATH yet, unpacks
# PACKAGE below build/unpacked without installing it (no maintainer script runs, no
# dependency comes along), and puts that on the PATH. For self-contained programs.
unpack_missing() {
  local root=$repo/build/unpacked pair package
  local -a missing=()
  command -v apt-get >/dev/null || return 0  # install_missing has said so
  PATH=$PATH:$root/usr/bin
  export PATH
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  ((${#missing[@]} == 0)) && return
  need_root_possible
  say "unpacking ${missing[*]} below ${root#"$repo"/}"
  rm -rf -- "$root.new"
  mkdir -p -- "$root.new" "$root"
  (cd -- "$root.new" && apt_quietly download "${missing[@]}") || exit
  for package in "$root.new"/*.deb; do
    dpkg-deb -x "$package" "$root"
  done
  rm -rf -- "$root.new"
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null ||
      die "$exit_failed" "the package ${pair#*=} has no command ${pair%%=*}: mend scripts/packages.sh"
  done
}

# configure PRESET [CMAKE ARGS…] and build PRESET [TARGET…]; incremental.
configure() {
  local preset=$1 log=$repo/build/$1/configure.log
  shift
  mkdir -p -- "$repo/build/$preset"
  # Presets are looked for in the working directory.
  (cd -- "$repo" && quietly "$log" cmake --preset "$preset" "$@")
}

build() {
  local preset=$1 log=$repo/build/$1/build.log
  shift
  quietly "$log" cmake --build "$repo/build/$preset" --parallel "$(nproc)" ${1:+--target "$@"}
}

# files PATTERN…: the repository's files of these names (git pathspecs like '*.cc'),
# tracked or new but not ignored, NUL-terminated, relative to $repo. Git's check of
# who owns the checkout is answered for this one command: CI often runs as root.
files() {
  local file
  git -C "$repo" -c safe.directory="$repo" ls-files -z --cached --others --exclude-standard --deduplicate -- "$@" |
    while IFS= read -r -d '' file; do
      # Git still lists what was deleted and not committed.
      if [[ -f $repo/$file ]]; then printf '%s\0' "$file"; fi
    done
}
