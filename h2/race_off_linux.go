//go:build !race

package h2

func raceWrites(int) {}

func raceRead(int) {}
