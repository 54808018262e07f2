"""SER Atlas: embeddings of emotional speech, and what their latent spaces look like."""
