#!/usr/bin/env bash
# What a container of the project does:  docker run [options] retail-agent [what] [words for it]
#
#   lab     JupyterLab on port 8888, behind a token (what it does when nothing is said); words go to Jupyter
#   train   notebooks 01 to 05 for a real model; words go to the chain: --run mine -p SEED 7 -p MODE plan,
#           or name the notebooks: train -p SEED 7 notebooks/02_sft_warmup.ipynb
#   demo    notebooks 00 to 05 with the tiny model on the CPU
#   test    every test; words go to pytest
#   check   what this machine can run
#   help    these lines
#
# Anything else is a command and runs as it stands: python -m pipeline.grpo --run mine --profile spark
# Variables: JUPYTER_TOKEN, JUPYTER_TOKEN_FILE and PORT (lab; 8888), PROFILE (train; spark), HEALTH_MINUTES
# (60; see container/healthy.py).
#
# Each program replaces this shell, so that the signal of `docker stop` reaches it.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

refuse() {
    echo "$*" >&2
    exit 2
}

# What container/healthy.py should look at: lab, run or command.
looked_after_as() {
    echo "$1" >"${STATE_FILE:-/tmp/retail-agent-state}"
}

# A folder that Docker made for a missing -v source belongs to root: say so now, not after an hour.
writable() {
    local owner
    owner=$(stat -c %U "$1" 2>/dev/null || echo nobody)
    [[ -w $1 ]] || refuse "cannot write to $1, which belongs to $owner: make the folder before docker run, or build" \
        "with --build-arg UID=\$(id -u) --build-arg GID=\$(id -g)"
}

chain() {
    looked_after_as run
    writable outputs
    exec python -m pipeline.chain "$@"
}

lab() {
    local token=${JUPYTER_TOKEN-not given} word
    [[ -n ${token//[[:space:]]/} ]] || refuse "JUPYTER_TOKEN is empty, and whoever reaches the port could run" \
        "code: give it a value, or leave it out and Jupyter makes one and prints it"
    for word in "$@"; do
        [[ ${word,,} != *token* && ${word,,} != *password* ]] ||
            refuse "$word: the token is given with -e JUPYTER_TOKEN=..., or Jupyter makes one and prints it"
    done
    [[ -z ${JUPYTER_TOKEN_FILE:-} ]] || grep -q '[^[:space:]]' "$JUPYTER_TOKEN_FILE" ||
        refuse "JUPYTER_TOKEN_FILE=$JUPYTER_TOKEN_FILE holds no token: write one into it, or leave the variable out"
    looked_after_as lab
    exec jupyter lab --ip=0.0.0.0 --port="${PORT:-8888}" --no-browser --LabApp.default_url=/lab/tree/notebooks "$@"
}

train() {
    local word notebooks=() profile=(-p PROFILE "${PROFILE:-spark}")
    for word in "$@"; do
        [[ $word != *.ipynb ]] || notebooks+=("$word")
    done
    ((${#notebooks[@]})) || chain --run train "${profile[@]}" "$@" notebooks/0[1-5]_*.ipynb
    # The chain refuses a parameter that none of its notebooks has.
    grep -qs '"PROFILE = ' "${notebooks[@]}" || profile=()
    chain --run train "${profile[@]}" "$@"
}

demo() {
    export CUDA_VISIBLE_DEVICES="" UNSLOTH_FORCE_CPU=1 # the tiny model's numbers were measured on CPUs
    chain --run demo -p PROFILE tiny "$@" notebooks/0[0-5]_*.ipynb
}

what=${1:-lab}
shift || true
case $what in
lab | train | demo | test | check) cd "$project" ;;
esac
case $what in
lab | train | demo) "$what" "$@" ;;
test) looked_after_as command && exec python -m pytest "$@" ;;
check) looked_after_as command && exec make --no-print-directory check ARGS="$*" ;;
help) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
-*) refuse "$what: say first what to do: lab, train, demo, test, check, or a command" ;;
*)
    if [[ $* == *pipeline.* ]]; then looked_after_as run; else looked_after_as command; fi
    exec "$what" "$@"
    ;;
esac
