"""Put the face of one person into a photo or film of another."""
