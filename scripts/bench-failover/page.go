package main

func page([]string) error { return nil }
