"""What a written file says about itself: that it was generated, by what and from what; signed and unseen marks."""
