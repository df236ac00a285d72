"""From rows or an error to the bytes of an answer, and the document that describes them."""
