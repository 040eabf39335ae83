"""Prepare data, train each network, keep checkpoints, export."""
