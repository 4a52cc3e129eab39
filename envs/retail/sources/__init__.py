"""Readers for files from elsewhere; `envs.retail.importers` is their front door."""
