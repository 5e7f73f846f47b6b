"""Scripts for developers of Easel; they are not part of the product."""
