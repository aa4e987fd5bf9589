"""What `aftersales check` looks at, layer by layer; each layer assumes the ones before it.

    sources     finding and reading the table files
    tables      1. the file is a table and not a program, and every name in it exists (library, syntax)
    loading     runs the tables in a room of their own, so that nothing of them touches the running system
    machines    2. each workflow is a sound machine
    policies    3. each policy fits the workflows and cites its sources (kinds, documents, rulings)
    timeouts    4. no clock goes round in circles
    examine     all of these, over a set of tables
    remarks     what is told although it is no mistake
    lives       how long a ticket lives if nobody ever acts, played on the real engine
    settling    which of the operator's files can be put in force

Every message names file and line, says what is wrong and what to do, for somebody who is no programmer.
"""
