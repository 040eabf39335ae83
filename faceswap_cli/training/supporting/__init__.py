"""Train the networks around the generator: encoder, detector, parser, points, beard."""
