"""The parts of a run's report page: numbers, curves and episodes, and what it looks like.

`pipeline.report_page` puts them together. Everything here makes plain data for `report.html.j2`; the page's
one script, `report.js`, shows the episodes, and `report.css` is all there is of its looks.
"""
