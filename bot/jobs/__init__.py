"""Run jobs: dispatch, execution, progress, delivery."""
