"""Remotes of pods: folders, a real OCI registry, real servers of S3."""
