"""Model families: what differs from one kind of Stable Diffusion to the next, and nothing that all of them share."""
