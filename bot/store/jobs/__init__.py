"""Jobs in the store: acceptance, the fair queue, attempts, deliveries."""
