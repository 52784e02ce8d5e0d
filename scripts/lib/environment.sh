# Sourced by the scripts beside this folder: finds a Python, makes the virtual environment, installs what is pinned.
#
#   need_environment EXTRAS [DIRECTORY]   installs this project with EXTRAS ("moto,dev") and puts it first on PATH
#   need_mitmproxy                        sets MITMDUMP and INTERCEPT_PYTHON, where mitmproxy 11.0 can be installed
#   need_browser                          installs Chromium, where that is possible without asking (root, apt-get)
#   need_registry                         installs an OCI registry and skopeo, in the same way
#   need_localstack                       sets LOCALSTACK_PYTHON, where a Python 3.13 is found
#
# Everything lands in .venv/ and .cache/ of this checkout. Nothing is installed again while pyproject.toml, the
# constraints and the one file in C stay as they are. Without a C compiler that file is left out, and not needed.

set -euo pipefail

# Without compiled files every start of the proxy would compile it anew, which takes longer than the start.
unset PYTHONDONTWRITEBYTECODE

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }

# find_python VERSION_TEST: prints the first interpreter whose sys.version_info satisfies the test.
find_python() {
  local test=$1 candidate
  local candidates=("${PYTHON:-}" python3 python3.13 python3.12 python3.11 python)
  if [ -n "${PYENV_ROOT:-}" ] || [ -d "$HOME/.pyenv/versions" ]; then
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do candidates+=("$candidate"); done
  fi
  for candidate in "${candidates[@]}"; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c "import sys, venv, ensurepip; sys.exit(not ($test))" >/dev/null 2>&1; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return 0
    fi
  done
  return 1
}

fingerprint() { cat pyproject.toml "$@" | cksum | tr ' ' '-'; }

need_environment() {
  local extras=$1 directory=${2:-.venv} python stamp print
  print="$(fingerprint constraints.txt replay_proxy/proxy/http/_fast_parser.c) $root"
  stamp="$directory/.installed-$(printf '%s' "$extras" | tr ',' '-')"
  if [ ! -x "$directory/bin/python" ] || ! "$directory/bin/python" -c '' 2>/dev/null; then
    python=$(find_python 'sys.version_info >= (3, 11)') || {
      say "error: no Python 3.11 or newer with the venv module was found"
      say "hint: install one (Debian: apt-get install python3 python3-venv), or name it: PYTHON=/path/to/python3 $0"
      exit 1
    }
    say "Making a virtual environment in $directory ($("$python" --version 2>&1)) ..."
    rm -rf "$directory"
    "$python" -m venv "$directory"
  fi
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$print" ]; then
    say "Installing replay-proxy[$extras] and its pinned dependencies (once) ..."
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$extras]" >&2 || {
      say "error: the dependencies could not be installed"
      say "hint: pip needs a package index; see its message above"
      exit 1
    }
    printf '%s' "$print" > "$stamp"
  fi
  PATH="$root/$directory/bin:$PATH"
  export PATH
}

need_browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing Chromium, for the tests of pages (once) ..."
    if DEBIAN_FRONTEND=noninteractive timeout 600 sh -c '
      apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium' >/dev/null 2>&1; then
      return 0
    fi
  fi
  say "No Chromium was found: tests of pages in a browser will be skipped, by name."
}

need_registry() {
  if command -v docker-registry >/dev/null && command -v skopeo >/dev/null; then return 0; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing an OCI registry and skopeo, for the tests of pods (once) ..."
    if DEBIAN_FRONTEND=noninteractive timeout 600 sh -c '
      apt-get update -qq && apt-get install -y -qq --no-install-recommends docker-registry skopeo' >/dev/null 2>&1; then
      # It starts as a service where there is an init; the tests start their own.
      return 0
    fi
  fi
  say "No OCI registry was found: tests of pods in one will be skipped, by name."
}

need_localstack() {
  local directory=.cache/localstack python print stamp
  LOCALSTACK_PYTHON=${LOCALSTACK_PYTHON:-}
  if [ -z "$LOCALSTACK_PYTHON" ]; then
    print=$(cksum < scripts/lib/localstack-constraints.txt)
    stamp="$directory/.installed"
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$print" ]; then
      if ! python=$(find_python 'sys.version_info[:2] == (3, 13)'); then
        say "No Python 3.13 was found: tests against LocalStack community will be skipped, by name."
        return 0
      fi
      say "Installing LocalStack community into $directory (once) ..."
      rm -rf "$directory"
      "$python" -m venv "$directory"
      "$directory/bin/python" -m pip install --quiet --disable-pip-version-check \
        -c scripts/lib/localstack-constraints.txt 'localstack-core[runtime]' service_identity >&2 || {
        say "LocalStack community could not be installed: its tests will be skipped, by name."
        return 0
      }
      printf '%s' "$print" > "$stamp"
    fi
    LOCALSTACK_PYTHON="$root/$directory/bin/python"
  fi
  export LOCALSTACK_PYTHON
}

# mitmproxy 11.0 and MiniStack cannot share an environment (their pins of h2 exclude each other). This project is installed
# beside it, for tests of the interception door with that version.
need_mitmproxy() {
  local directory=.cache/mitmproxy python print stamp
  MITMDUMP=${MITMDUMP:-}
  if [ -z "$MITMDUMP" ]; then
    print="$(fingerprint scripts/lib/mitmproxy-constraints.txt) $root"
    stamp="$directory/.installed"
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$print" ]; then
      say "Installing mitmproxy into $directory, as a peer to compare with (once) ..."
      rm -rf "$directory"
      if ! { python=$(find_python 'sys.version_info >= (3, 11)') && "$python" -m venv "$directory" &&
        "$directory/bin/python" -m pip install --quiet --disable-pip-version-check \
          -c scripts/lib/mitmproxy-constraints.txt mitmproxy -e . >&2; }; then
        say "mitmproxy could not be installed: it will not be compared with, and the output says so."
        return 0
      fi
      printf '%s' "$print" > "$stamp"
    fi
    MITMDUMP="$root/$directory/bin/mitmdump"
    INTERCEPT_PYTHON=${INTERCEPT_PYTHON:-$root/$directory/bin/python}
    export INTERCEPT_PYTHON
  fi
  export MITMDUMP
}
