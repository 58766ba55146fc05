"""The reviewer's side: runs opened with care, compared number by number, and rebuilt."""
