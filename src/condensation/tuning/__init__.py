"""Searches of parameters: the only room that imports Optuna."""
