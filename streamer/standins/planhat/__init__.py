"""The Planhat sandbox: a stand-in of Planhat's API to build and test a client against.

It is a stand-in, made from public documentation and public client code, not from Planhat's own
source. Whatever Planhat does not document is a switch (`switches`), so that a client can be shown
to be right under every reading.

    switches    what is not documented, and the limits
    entries, models, companies, endusers, activities, store    what it holds, and the rules of it
    main_api, analytics_api    requests to replies, without HTTP
    faults, quota, journal     what goes wrong, when, and what was asked
    server, control, page      HTTP (aiohttp)
    command, child             `streamer sandbox`, and the same as a child process
"""
