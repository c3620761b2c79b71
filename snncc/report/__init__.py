"""What a program is and does, as facts, as pictures, and as one HTML page.

`gather` makes the facts, `pictures` draws them, `page` puts them together. Only the last two need
matplotlib and Jinja2: `pip install 'snncc[report]'`.
"""
