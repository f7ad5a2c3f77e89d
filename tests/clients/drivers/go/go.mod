module driver

go 1.23

require music.example.com/musicstudio v0.0.0

replace music.example.com/musicstudio => ./client
