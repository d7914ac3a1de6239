"""A volume that keeps what was brought from elsewhere, by digest, for all pods of a namespace.

    martlet-cache/entries/HEX/content       a model's folder or a data file
    martlet-cache/entries/HEX/entry.json    its size and where it came from; touched at each use
    martlet-cache/leases/HEX.POD            a pod that uses it; touched while the pod runs
    martlet-cache/partial/HEX/              what is being brought; renamed once it is whole
    martlet-cache/locks/                    one writer a digest, one change of the entries at a time

Locks are the file system's (flock): a process that is killed holds none. The volume must have them,
as NFS 4, CephFS and local disks do.
"""

from martlet_runtime.cache.store import Store, of_pod

__all__ = ["Store", "of_pod"]
