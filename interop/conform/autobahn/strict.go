package autobahn

import "weir/interop/conform"

func stricter() []spec { return nil }

func openings() []conform.Case { return nil }
