"""What users see: job cards, buttons, history pages, comparisons, digests, exports."""
