"""The page: a form that fills in a command line, and a watcher that shows what the command does.

`folder` keeps what is uploaded and what is made in one folder, and lets nothing else be named; `painting`
has the queue, the one run at a time, and what is known of it; `form` turns what is said on the page into
options, and `record` a picture's record into what was said; `layout` is what stands on the page,
`handlers` what it does, `page` puts both together, `telling` is what it says; `manners` decides who may
ask it for what. The command hands in what it does (`form.Program`): nothing here knows how a picture is
made.
"""

#: One file, fixed-styles.jpg, has the 26 styles side by side and row by row, so many in a row.
STYLES_IN_A_ROW = 13
