"""A live portrait, from the camera that moves it to those who watch it."""
