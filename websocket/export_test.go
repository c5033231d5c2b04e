package websocket

// RaceEnabled is raceEnabled.
const RaceEnabled = raceEnabled
