# Sourced by the scripts: PYTHON is the active environment's interpreter, else the checkout's .venv, else python3.
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -z "${PYTHON:-}" ]]; then
    if [[ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" && -x "$checkout/.venv/bin/python" ]]; then
        PYTHON=$checkout/.venv/bin/python
    else
        PYTHON=$(command -v python || command -v python3) || {
            echo "error: no Python is found; bash scripts/quickstart.sh says what is needed" >&2
            exit 2
        }
    fi
fi
