//go:build !race

package h1

func raceWrites(int) {}

func raceRead(int) {}
