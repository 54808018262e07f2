"""The pages. Numbers come from ser_core, pictures from ser_core.plots; here they are only shown."""
