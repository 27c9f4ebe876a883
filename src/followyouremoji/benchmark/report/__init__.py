"""What results say: tables, and one HTML page that stands alone."""
