"""What the desk did, in figures.

measures.py   PURE: what one ticket's history says: met on time, missed, answered after, waited for whom ...
rollup.py     keeps `measured` and its sums by day up to date, a few tickets at a time
figures.py    the sums of a period, for the page
sheets.py     the same as CSV and XLSX
"""
