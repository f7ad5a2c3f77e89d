module driver

go 1.24

require musicstudio v0.0.0

replace musicstudio => ./client
