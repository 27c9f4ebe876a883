"""The page's tabs, a file each: what Gradio lays out, and the script of `static` that makes it work."""
