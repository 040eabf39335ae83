#!/bin/bash
# Swap a folder of clips in 16 parts, 8 at a time: a Slurm array. Submit with `sbatch slurm.sh`; the same command goes
# on where an earlier one stopped.
#SBATCH --job-name=faceswap-batch
#SBATCH --array=0-15%8
#SBATCH --cpus-per-task=4
#SBATCH --mem=6G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60

# A minute before the time is over TERM comes: what is finished of a clip is kept, code 130, and the part queues again.
srun faceswap batch --source=/media/me.jpg /media/clips '--output=/media/out/{folder}/{stem}_swapped.{ext}' \
    --shard=auto --retry=failed --threads="${SLURM_CPUS_PER_TASK}" --offline
code=$?
if [ "$code" -eq 130 ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
