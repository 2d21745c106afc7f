"""The deterministic simulator: the real engine between a scripted broker and a scripted Planhat.

script      steps, as lines of text: printed, read back, shrunk
chance      one seed -> one script; odds: what it chooses of at Planhat
events      what a `feed` step puts into the topic, and what should become of it
broker      partitions, group, rebalances, commits, dead letters
planhat     requests under way, and the sandbox's own rules behind them
member      one process: the real `Streamer`, and all adapters to its ports
world       runs a script, step by step, then lets everything come to rest
laws        what must hold after every step, each law on its own; the larger ones in files of their own:
            commits, requests, quota, final_state, copies, unassigned
mutations   mistakes that must break a law, made in a copy and looked for by seed
shrink      the shortest script that still breaks the same law
"""
