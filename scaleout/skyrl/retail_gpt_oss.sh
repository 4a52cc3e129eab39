#!/usr/bin/env bash
# Check the arguments and the machine, and train; more arguments may follow: trainer.epochs=1
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec "${PYTHON:-python}" -m scaleout.skyrl train scaleout/skyrl/retail_gpt_oss.args "$@"
