"""The report: records of the other stages in, one comparison out (CSV, Markdown, HTML and figures).

The only room that draws: matplotlib is imported here and nowhere else.
"""
