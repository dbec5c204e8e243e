#!/usr/bin/env bash
# Usage: [NNODES=] [NODE_RANK=] [PORT=] [MASTER_ADDR=] dist_test.sh
#        CONFIG CHECKPOINT GPUS [test.py arguments]
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [test.py arguments]" >&2
    exit 2
fi
config=$1
checkpoint=$2
gpus=$3
shift 3

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" \
    --launcher pytorch "$@"
