"""Measurements that take too long for a build of the site; `make labs` runs them all.

Each script trains networks with several seeds and writes `docs/labs/results/<name>.json`, which the
lab `docs/labs/<name>.py` reads. `experiments.results` checks that the two belong together.
"""
