# SPDX-License-Identifier: MIT
"""A bench of light fibers beside its peers: the same work in turns, and the ratio of each round."""
import os

import harness


def arguments(description):
    parser = harness.arguments(description, hubs=False, rounds=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each benchmark in each round")
    return parser


def run(description, name, targets):
    """Runs NAME_bench and its peers (bench/peers: boost_fiber_NAME, go_NAME, libst_NAME, gevent_NAME.py), as far as they are there.

    targets: (row, peer, at most so much of the peer's time). A row "X/std" of ours is the peer "std" of row X, and a row
    "X/all_processors" of Go the peer "Go on all processors".
    """
    args = arguments(description).parse_args()
    folder = harness.binaries(args.build)
    google, named = harness.google_benchmark, harness.named_figures
    programs = {"weft": ([folder / f"{name}_bench"], google), "Boost.Fiber": ([folder / f"boost_fiber_{name}"], google),
                "Go": ([folder / f"go_{name}"], named), "libst": ([folder / f"libst_{name}"], google),
                "gevent": (harness.gevent_peer(name), named)}
    runs = harness.interleaved(args.rounds, {
        who: lambda words=words, run_it=run_it: run_it(words, args.seconds)
        for who, (words, run_it) in programs.items() if words and os.path.exists(words[-1])})

    def rounds_of(who, what):
        """The rounds in which that row may be, and its name in them."""
        if who == "std":
            return runs["weft"], what + "/std"
        if who == "Go on all processors":
            return runs.get("Go", []), what + "/all_processors"
        return runs.get(who, []), what

    def time_of(who, what):
        rounds, name = rounds_of(who, what)
        return harness.median(one.get(name) for one in rounds)

    def ratio(what, who):
        rounds, name = rounds_of(who, what)
        return harness.median_ratio(runs["weft"], rounds, what, name)

    names = [row for row in runs["weft"][0] if not row.endswith("/std")]
    peers = [who for who in ("std", "Boost.Fiber", "Go", "Go on all processors", "libst", "gevent")
             if any(time_of(who, what) is not None for what in names)]
    rows = [["ns", "weft"] + [text for peer in peers for text in (peer, "weft/it")]]
    for what in names:
        row = [what]
        for who in ["weft"] + peers:
            middle = time_of(who, what)
            row.append("-" if middle is None else f"{middle:.1f}")
            if who != "weft":
                row.append("-" if middle is None else f"{ratio(what, who):.2f}x")
        rows.append(row)
    harness.table(rows)
    print()
    verdicts = harness.Verdicts()
    for what, who, most in targets:
        if who in peers:
            verdicts.at_most(f"{what}, of {who}", ratio(what, who), most)
    return verdicts.exit_status(args.check)
