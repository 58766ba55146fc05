"""The reviewer's side: where numbers come from, what differs between runs, a run rebuilt."""
