"""Experiments that are too long for a build of the site; `make labs` runs them all.

Each script trains networks over several seeds and writes `docs/labs/results/<name>.json`, which
the lab `docs/labs/<name>.py` reads. `experiments.results` holds the two together.
"""
