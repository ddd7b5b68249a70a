#!/bin/bash
# One picture on several machines of a Slurm cluster: sbatch slurm.sh
#
# Not tried: there was no Slurm where this was written. What each line calls is tried on one machine.
#
# It takes for granted that the nodes share the folder that this is submitted from, and that the virtual
# environment in it has neuralstyle[cluster], the same everywhere. For a picture of P megapixels the first node
# needs 80 MB times P beside its workers; a worker with tiles of 1024 needs 5 GB.
#SBATCH --job-name=neuralstyle
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=1G
#SBATCH --time=04:00:00

set -euo pipefail
source venv/bin/activate

# The scheduler, on the first node. Whoever can reach it can run programs as you: see the README on certificates.
rm -f scheduler.json
dask scheduler --interface "${INTERFACE:-eth0}" --port 0 --no-dashboard --scheduler-file scheduler.json &
scheduler=$!
trap 'kill $scheduler' EXIT
until [ -s scheduler.json ]; do
    kill -0 $scheduler # it has ended where it could not begin: see what it says, and set INTERFACE
    sleep 1
done

# A worker for each task but one, which is the scheduler's and this program's.
# (Since Slurm 22.05, srun has to be told the cores of a task again.)
srun --ntasks=$((SLURM_NTASKS - 1)) --cpus-per-task="$SLURM_CPUS_PER_TASK" dask worker \
    --scheduler-file scheduler.json --interface "${INTERFACE:-eth0}" --nthreads 1 --memory-limit 0 \
    --no-dashboard --local-directory "${TMPDIR:-/tmp}" &

# A run that the time limit stops goes on when this is submitted again.
address=$(python -c 'import json; print(json.load(open("scheduler.json"))["address"])')
neuralstyle --content huge.jpg --style painting.jpg --output result.png --tile 1024 --resume \
    --cluster "$address" --threads "$SLURM_CPUS_PER_TASK"
