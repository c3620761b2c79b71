"""The page: sections of facts and pictures, and the template that shows them."""
