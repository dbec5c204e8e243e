#!/usr/bin/env bash
# Usage: [GPUS=] [GPUS_PER_NODE=] [CPUS_PER_TASK=] [SRUN_ARGS=]
#        slurm_train.sh PARTITION JOB_NAME CONFIG [train.py arguments]
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [train.py arguments]" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
shift 3

export MASTER_PORT=${MASTER_PORT:-$((12000 + RANDOM % 20000))}

# SRUN_ARGS is split into words on purpose.
# shellcheck disable=SC2086
exec srun -p "$partition" \
    --job-name="$job_name" \
    --gres=gpu:"${GPUS_PER_NODE:-8}" \
    --ntasks="${GPUS:-8}" \
    --ntasks-per-node="${GPUS_PER_NODE:-8}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$config" \
    --launcher slurm "$@"
