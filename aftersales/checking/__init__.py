"""What `aftersales check` looks at, one layer per file; each layer assumes the ones before it.

    sources     finding and reading the table files
    tables      1. the file is a table and not a program, and every name in it exists
    loading     runs the tables in a room of their own, so that nothing of them touches the running system
    machines    2. each workflow is a sound machine
    policies    3. each policy fits the workflows, answers its documents and cites them
    rulings     3. rules without a clock, and the shop's own rules
    timeouts    4. no clock goes round in circles; nothing that is clocked gets stuck
    lives       how long a ticket lives if nobody ever acts, played on the real engine

Every message names file and line, says what is wrong and what to do, for somebody who is no programmer.
"""
