"""SER Atlas: embeddings of emotional speech, and what their latent spaces look like."""

import os

# numpy and scipy each bring a BLAS whose idle threads spin for a while. Where one calls after the other on few cores,
# each waits for the other's spinning: 40 times slower on two cores (measured). Asleep at once, they cost nothing; no
# number changes. It counts for a process that imports this before numpy, as `ser` and its dashboard do.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

# The same of torch's threads, which spin for milliseconds: beside another program a network on two cores learnt three
# times as fast with this (measured), and alone no slower, which it is where they do not spin at all.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
