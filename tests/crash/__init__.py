"""Breaking things under a running proxy: processes that are killed, disks that fail, peers that hang."""
